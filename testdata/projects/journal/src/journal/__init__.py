"""Shows the articles of a journal, to readers and to programs."""

from flask import Flask, abort, jsonify, render_template

from .articles import ARTICLES


def create_app() -> Flask:
    """Returns the application."""
    app = Flask(__name__)

    @app.get("/")
    def contents():
        return render_template("contents.html", articles=ARTICLES.values())

    @app.get("/articles/<article_id>")
    def article(article_id: str):
        found = ARTICLES.get(article_id) or abort(404)
        return jsonify(found.summary())

    return app
