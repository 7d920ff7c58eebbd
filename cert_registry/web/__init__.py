"""The departments' API and the registry's pages.

Comes in: HTTP. Goes out: JSON, problem documents (RFC 9457), signed evidence, pages. The only room that knows status
codes. May not: decide; it asks licences, sharing and verification.
"""
