"""The client with which Flask AppBuilder asks an OpenID Connect provider of a private authority."""

from __future__ import annotations

from typing import Any

from authlib.integrations.flask_client import FlaskOAuth2App
from authlib.integrations.requests_client import OAuth2Session


class OidcSession(OAuth2Session):  # type: ignore[misc]  # authlib is not annotated
    """Judges the provider by the authority that it was given, whatever the environment says.

    Of a session, requests lets ``REQUESTS_CA_BUNDLE`` go before ``verify``; of a request it does not.
    """

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        """Send a request."""
        kwargs.setdefault("verify", self.verify)
        return super().request(method, url, *args, **kwargs)


class OidcApp(FlaskOAuth2App):  # type: ignore[misc]
    """authlib's part of a Flask application, with this client."""

    client_cls = OidcSession
