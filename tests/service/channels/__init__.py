"""Each kind of channel against its receiver, and endpoints under several workers."""
