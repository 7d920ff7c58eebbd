"""Look-up of licences for those who verify: by identifier, by file, by paper code, by content.

Owns: how a licence is found from what a verifier holds, and how content is compared. Comes in: sharing's decision as a
value, the one verdict engine as a callable. Goes out: plain findings. May not: have a verdict engine of its own.
"""
