"""PAdES signatures: prepare, sign, complete.

Owns: what a signature looks like and where it stands, the CMS around a signature value, the levels B-B to B-LTA
(ETSI EN 319 142-1), the document security store and document timestamps.
Comes in: the bytes of a PDF, a request, and ports to a key, a timestamp authority and revocation data.
Goes out: a PDF that begins with exactly the bytes that came in, or a named refusal and nothing.
May not: judge a signature, open a token, reach the network by itself.
"""
