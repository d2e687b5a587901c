"""What a WSGI server loads: `portal.wsgi:app`."""

from config import Settings, logs
from portal.app import create_app

logs.configure()
app = create_app(Settings.read())
