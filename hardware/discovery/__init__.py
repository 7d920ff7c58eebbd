"""What is plugged in: USB devices, card readers and token slots, joined into one table.

Owns: the data file of known USB keys, the three scans (USB, PC/SC, PKCS#11 slots), the join, the watch for changes.
Comes in: nothing, or a file that overrides what is known. Goes out: rows for people and programs.
May not: log in, send a PIN, or load a vendor's module into this process.
"""
