"""The reviewer's PC: dials out, shows every page, recomputes what is to be signed, asks the PIN, signs.

Owns: what both ends of the channel must agree on (`protocol`), the review of a prepared file, the choice of the
signing pair on a USB key, the window and the terminal.
Comes in: prepared files from a paired server, an opened token, the officer's consent. Goes out: signature values over
exactly the three attributes of a PAdES signature, or a refusal by name.
May not: listen on a port, import anything but `pdf`, `errors` and `hardware`, keep a PIN, believe what the server says
of a document where the document itself can be asked.
"""
