"""The Flask application of the portal."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from flask import Flask
from flask_babel import Babel
from flask_wtf.csrf import CSRFProtect

from config import Settings
from config.proxies import BehindProxies
from exchange.db import vault_of
from exchange.stores import Stores, open_stores
from portal import auth, body, errors, headers, health, language, offline_page, shown
from portal.api import BLUEPRINTS as API
from portal.web import BLUEPRINTS as WEB

_HERE = Path(__file__).parent
_FORM_BYTES = 500_000
_FORM_FIELDS = 200


def create_app(settings: Settings) -> Flask:
    """The portal of one installation."""
    app = Flask("portal", root_path=str(_HERE))
    stores = open_stores(settings)
    app.wsgi_app = BehindProxies(app.wsgi_app, settings.trusted_proxies)  # type: ignore[method-assign]
    app.extensions["settings"], app.extensions["stores"] = settings, stores
    app.config.update(_config(settings, stores))
    Babel(app, locale_selector=language.chosen)
    headers.install(app)
    body.install(app)
    auth.install(app)
    csrf = CSRFProtect(app)
    for blueprint in API:
        # A request that carries its key in a header needs no token against forged forms.
        csrf.exempt(blueprint)
        app.register_blueprint(blueprint)
    for blueprint in WEB:
        app.register_blueprint(blueprint)
    health.install(app)
    offline_page.install(app, settings)
    shown.install(app)
    errors.install(app)
    return app


def _config(settings: Settings, stores: Stores) -> dict[str, object]:
    with stores.case.reading() as db:
        secret = vault_of(db).session_secret
    return {
        "SECRET_KEY": secret,
        "SESSION_COOKIE_NAME": "noroshi",
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_COOKIE_SECURE": settings.https,
        "PERMANENT_SESSION_LIFETIME": timedelta(hours=settings.login_hours),
        "WTF_CSRF_TIME_LIMIT": None,
        "WTF_CSRF_SSL_STRICT": settings.https,
        "MAX_FORM_MEMORY_SIZE": _FORM_BYTES,
        "MAX_FORM_PARTS": _FORM_FIELDS,
        "BABEL_DEFAULT_LOCALE": "ja",
        "BABEL_TRANSLATION_DIRECTORIES": str(_HERE / "translations"),
    }
