"""Paper: the signed code on it, print copies, the ledger that counts them, and the way to a printer.

Owns: paper codes (核验二维码) and their short forms, print copies, the print ledger, IPP jobs.
Comes in: sealed files, claims, a callable that signs with the paper-code key in custody. Goes out: unsigned copies that
say that they are copies, symbols as SVG, PDF operators and PNG, verified claims or a named refusal.
May not: count prints from browser events, put any part of a holder's number into a code, or judge a document's
signatures.

Reading order: `claims` and `cose` (what is signed), `paper_code` (making and reading), `symbol` (drawing it), `ledger`
(serials and quotas), `print_copy` over `free_space` and `marks`, `decode`, `ipp`.
"""
