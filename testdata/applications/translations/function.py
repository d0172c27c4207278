import gettext
import ssl


def handler(event, context):
    translation = gettext.translation("messages", localedir="locale", languages=["de"])
    trust = ssl.create_default_context(cafile="certs/ca.pem")
    return [translation.gettext("hello"), len(trust.get_ca_certs())]
