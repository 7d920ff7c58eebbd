"""Electronic licences: identifiers, catalogue, holders, register, status history, issuing.

Owns: what a licence is (GB/T 36901-36904), the tables of licences, their holders and their operations, and the layouts.
Comes in: requests to issue or change, released approvals, sealed bytes, ports for sealing and for the paper code.
Goes out: registered licences, their state at any time as known at any time, status facts for the verdict engine.
May not: decide who may see a licence (sharing does), judge a signature (signing_service.verification does), hold a key.
"""
