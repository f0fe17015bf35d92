"""Kinds of channels: each turns a stored message into requests that its receiver understands.

A *kind* checks and keeps what people give, and opens it. A *destination* is a channel that is open:
it renders messages and judges answers. What is stored is the message itself (the envelope), never
a rendering: a retry renders it again and gets the same.
"""
