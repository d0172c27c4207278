import google.auth
import google.cloud.storage
from google.api_core import exceptions, retry
from google.cloud import storage
from google.cloud.exceptions import NotFound
from google.cloud.storage.blob import Blob
from google.oauth2 import service_account
from google.protobuf import timestamp_pb2


def main(request):
    return storage.Client().bucket("b").blob("c").download_as_bytes()
