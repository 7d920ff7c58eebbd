"""Custody: the one process that opens the service tokens, and signs only what it has itself found to be allowed.

Owns: the service tokens and their PINs, `policy.json` (which key is which seal's or service's, who holds each seal),
the ledger of uses, the stop switch. All lie in one folder that only the custody account may enter.
Comes in: signed attributes with a holder's authorisation, or a structure to be signed for one service; over a Unix
socket, from the same account or one that policy names. Goes out: signatures, or a refusal by name.
May not: talk to the network, read the deployment's database, or trust what web server and worker say of a document,
except for the document type under a standing order, where count and end are the holder's protection.
"""
