"""The one edge to HTTP: pages, APIs, the agent's channel; only this room knows status codes.

Owns: routers made from the parts that they need, the error edge, sessions' cookies, the Origin check, templates.
Comes in: requests. Goes out: pages in Chinese or English, JSON, RFC 9457 problem documents.
May not: decide anything that a room's `rules` decide, hold a key, open anything at import.
"""
