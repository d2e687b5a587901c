"""What `celery -A workers.main` loads."""

from config import Settings, logs
from workers.app import create_app

logs.configure()
app = create_app(Settings.read())
