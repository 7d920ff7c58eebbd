"""Who works here: departments, officers, roles, sessions, and the departments' API clients with their tokens.

Owns: names and dates of departments, which certificate stands for which officer, who may do what (every grant by two
persons after the first), OAuth 2 client credentials, calls that repeat, officers' sessions, notices to persons.
Comes in: plain values, forms, bearer tokens, certificates as DER, an instant. Goes out: rows, `Caller`, named errors.
May not: hold a key, ask whether a certificate is revoked (that is `pki`, above), or know what a case is.
"""
