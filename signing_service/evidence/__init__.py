"""The audit log as evidence: positions in one tree, signed checkpoints, and the witnesses outside that hold them.

Comes in: committed entries of the kernel's log, a signing function, a timestamping function, witnesses. Goes out:
checkpoints (C2SP notes), inclusion and consistency proofs. May not: write an entry, decide what an act is, hold a key.
"""
