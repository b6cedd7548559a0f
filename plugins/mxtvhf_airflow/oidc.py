"""OpenID Connect client of Flask AppBuilder for providers with a private certificate authority."""

from __future__ import annotations

from typing import Any

from authlib.integrations.flask_client import FlaskOAuth2App
from authlib.integrations.requests_client import OAuth2Session


class OidcSession(OAuth2Session):  # type: ignore[misc]  # authlib is not annotated
    """Session that verifies the provider with the configured authority, regardless of the environment.

    In requests, ``REQUESTS_CA_BUNDLE`` overrides ``verify`` of a session but not ``verify`` of a request.
    """

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        """Send a request with the configured ``verify``."""
        kwargs.setdefault("verify", self.verify)
        return super().request(method, url, *args, **kwargs)


class OidcApp(FlaskOAuth2App):  # type: ignore[misc]
    """Authlib client of a Flask application that uses `OidcSession`."""

    client_cls = OidcSession
