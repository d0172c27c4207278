import boto3
from boto3.dynamodb.conditions import Key
from botocore.exceptions import ClientError
from dateutil.parser import isoparse


def handler(event, context):
    return boto3.resource("dynamodb").Table("t").query(KeyConditionExpression=Key("id").eq(event["id"]))
