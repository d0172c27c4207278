import redis
from celery import shared_task
from celery.utils.log import get_task_logger
from redis.asyncio import Redis

from proj.celery import app

logger = get_task_logger(__name__)


@app.task
def add(x, y):
    return x + y


@shared_task
def flush():
    redis.Redis().flushall()
