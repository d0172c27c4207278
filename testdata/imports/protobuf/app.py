from google.protobuf.json_format import MessageToDict

from generated import shop_pb2
import generated.shop_pb2 as again


def handler(event, context):
    return MessageToDict(shop_pb2.Item(name="a"))
