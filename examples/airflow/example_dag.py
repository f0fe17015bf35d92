"""Checks yesterday's metrics once they are there: for the dags folder of Airflow 3."""

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG
from lupus_airflow import LupusDetection

with DAG(
    dag_id="lupus_ranking_daily",
    schedule="0 6 * * *",
    start_date=datetime(2026, 11, 1, tzinfo=UTC),
    catchup=False,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
):
    LupusDetection(
        task_id="ranking_quality",
        request={
            "source": "job.ranking",
            "rule": "ranking-daily",
            "metric": ["ndcg@10", "recall@*"],
            "range": {"start": "{{ macros.ds_add(ds, -1) }}", "end": "{{ ds }}"},
            "detector": {"type": "prophet"},
            "notify": {"channels": ["slack-ml"]},
        },
        fail_on="major",
        execution_timeout=timedelta(hours=2),
    )
