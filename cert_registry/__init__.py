"""The electronic-licence registry: licences, sharing with departments, look-up, evidence views.

Rooms, from top to bottom: app, web, sharing | verification | audit, licences, settings, errors.
May import `signing_service` and `hardware`; may not import `cli`.
"""
