"""The pure part of working on PDF bytes.

Owns: what a file allows (encryption, permissions, XFA, earlier signatures), page geometry, incremental revisions,
the signed attributes of a CMS signature and the prepared file that travels between machines.
Comes in: bytes. Goes out: values, more bytes, or a named refusal from `signing_service.pdf.errors`.
May not: open a file, reach the network, hold a key, judge trust.
"""
