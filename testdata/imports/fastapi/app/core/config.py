from functools import lru_cache

from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="APP_")
    title: str = "app"
    database: str = "sqlite+pysqlite://"


settings = Settings()
