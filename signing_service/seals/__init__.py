"""Electronic seals: picture, GB/T 38540 structures, lifecycle, conditions of use, authorisations, succession.

Owns: the seal register and its rules, what a holder's authorisation means, how a seal looks.
Comes in: a design, an officer's act, a signed authorisation, an instant. Goes out: outlines in real millimetres, DER
structures, states at a time, reservations.
May not: hold or use a key (that is `custody`), nor decide what an approval is.
"""
