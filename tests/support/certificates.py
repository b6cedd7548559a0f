"""Certificates made for a test: one that is its own authority, and an authority that issues others."""

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

HOUR = timedelta(hours=1)


def write_certificate(folder, address="127.0.0.1"):
    """Write key.pem and certificate.pem, which is its own authority; return both paths."""
    key, now = generate_private_key(SECP256R1()), datetime.now(UTC)
    name = _name("mxt-vhf test")
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - HOUR)
        .not_valid_after(now + HOUR)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(address))]), critical=False)
        .sign(key, SHA256())
    )
    return _write(folder, "key", key), _write(folder, "certificate", certificate)


class Authority:
    """A private authority, as an installation has one; ``ca`` is its certificate.

    Its certificates are as RFC 5280 wants them, which Python 3.13 checks.
    """

    def __init__(self, folder):
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._key, now = generate_private_key(SECP256R1()), datetime.now(UTC)
        name, public = _name(f"authority of {folder.name}"), self._key.public_key()
        self._certificate = (
            x509.CertificateBuilder(name, name, public, x509.random_serial_number())
            .not_valid_before(now - 1000 * HOUR)
            .not_valid_after(now + 1000 * HOUR)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .sign(self._key, SHA256())
        )
        self.ca = _write(folder, "ca", self._certificate)

    def issue(self, name, *, begins=-HOUR, ends=1000 * HOUR):
        """Write a certificate of ``name`` for 127.0.0.1 and localhost, and its key; return both paths.

        ``begins`` and ``ends`` count from now.
        """
        key, now = generate_private_key(SECP256R1()), datetime.now(UTC)
        hosts = x509.SubjectAlternativeName(
            [x509.IPAddress(IPv4Address("127.0.0.1")), x509.DNSName("localhost")]
        )
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        certificate = (
            x509.CertificateBuilder(
                self._certificate.subject, _name(name), key.public_key(), x509.random_serial_number()
            )
            .not_valid_before(now + begins)
            .not_valid_after(now + ends)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(digital_signature=True), critical=True)
            .add_extension(hosts, critical=False)
            .add_extension(identifier, critical=False)
            .sign(self._key, SHA256())
        )
        return _write(self._folder, name, certificate), _write(self._folder, f"{name}-key", key)


def _name(common_name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _usage(**used):
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
             "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")  # fmt: skip
    return x509.KeyUsage(**{name: used.get(name, False) for name in names})


def _write(folder, name, content):
    path = folder / f"{name}.pem"
    if isinstance(content, x509.Certificate):
        path.write_bytes(content.public_bytes(Encoding.PEM))
    else:
        path.touch(0o600)
        path.write_bytes(content.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path
