"""What a WSGI server loads: `taxii_server.wsgi:app`."""

from config import Settings, logs
from taxii_server import create_app

logs.configure()
app = create_app(Settings.read())
