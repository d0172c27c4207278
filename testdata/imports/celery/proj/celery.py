from __future__ import absolute_import

import os

from celery import Celery
from celery.schedules import crontab
from kombu import Exchange, Queue

os.environ.setdefault("CELERY_CONFIG_MODULE", "proj.config")
app = Celery("proj", broker="redis://localhost/0", include=["proj.tasks"])
app.config_from_object("proj.config")
app.conf.task_queues = (Queue("default", Exchange("default")),)
app.conf.beat_schedule = {"sum": {"task": "proj.tasks.add", "schedule": crontab(minute=0)}}
