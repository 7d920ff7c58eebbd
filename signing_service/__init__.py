"""Signing: reviewers' signatures, agency seals, certificates and the one verification engine.

Rooms, from top to bottom: app, web, approvals | printing | channel, pades | verification | custody, seals, pki, people,
settings, kernel, pdf, errors. `agent` is the reviewer's PC and sees only pdf, errors and hardware.
May not import `cert_registry` or `cli`.
"""
