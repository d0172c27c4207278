class {{ name }}:
    {% for field in fields %}
    {{ field }}: str
    {% endfor %}
