"""The one way out to URLs that people gave.

`egress` knows which hosts and addresses may be reached, `transport` is the client that reaches
nothing else: pinned, without redirects, environment proxies or kept sockets.
"""
