"""The whole production stack in one: the seed story, and what happens when a part of it fails."""
