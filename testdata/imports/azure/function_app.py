from azure.core.exceptions import ResourceNotFoundError
from azure.identity import DefaultAzureCredential
from azure.identity.aio import DefaultAzureCredential as AsyncCredential
from azure.storage import blob
from azure.storage.blob import BlobServiceClient
import azure.storage.blob._shared.policies


def client(url: str) -> BlobServiceClient:
    return BlobServiceClient(url, credential=DefaultAzureCredential())
