"""What a deployment may choose. Read once, at start, and handed to every `create_app`."""

from config.settings import Installation, Settings, SettingsError

__all__ = ["Installation", "Settings", "SettingsError"]
