"""A binding to PKCS#11 (Cryptoki 2.40) through ctypes: the calls that this project makes, and no more.

Owns: the C structures, the constants, one `Cryptoki` object per shared library of the process.
Comes in: a library path, slots, sessions, attribute templates. Goes out: plain values, or `CryptokiError` with
the return value and the name of the call. Every call releases the GIL.
May not: keep a session, know a PIN policy, or decide what a return value means (`hardware.error_map` does).
"""
