"""The one way out to URLs that people gave.

`url` reads one, `addresses` knows what is public, `egress` what this service may reach, and
`transport` opens the client that reaches nothing else: through `connect`, which checks where the
socket is opened, or through the company's `proxy`.
"""
