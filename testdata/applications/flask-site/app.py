from flask import Flask, render_template

app = Flask(__name__)


@app.get("/")
def index():
    return render_template("index.html", name="flask")


def handler(event, context):
    client = app.test_client()
    return [client.get("/").text, client.get("/static/style.css").text]
