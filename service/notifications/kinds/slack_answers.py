"""What Slack's answers mean, of incoming webhooks and of ``chat.postMessage``."""

import json
import re

from service.notifications.kinds.kind import Answer, Reply, plain_retry

_TAKEN = re.compile(r'\s*\{\s*"ok"\s*:\s*true\b')
_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")

# Nothing that is sent will be taken until people change something: the channel is disabled.
_GONE = {
    "account_inactive": "the bot's token is of a deleted user or workspace",
    "action_prohibited": "an administrator of the workspace does not allow this webhook to post",
    "app_uninstalled": "the app was removed from the workspace",
    "channel_is_archived": "the Slack channel is archived",
    "channel_not_found": "there is no such Slack channel, or the bot does not see it: invite it",
    "ekm_access_denied": "administrators of the workspace have suspended posting",
    "invalid_auth": "the bot's token is not valid",
    "invalid_token": "the webhook's URL is not valid any more",
    "is_archived": "the Slack channel is archived",
    "is_inactive": "the Slack channel is frozen",
    "messages_tab_disabled": "the app takes no direct messages",
    "missing_scope": "the bot's token lacks the scope chat:write",
    "no_active_hooks": "the webhook was removed from the workspace",
    "no_permission": "the bot's token lacks the scope chat:write",
    "no_service": "the webhook was removed from the workspace",
    "no_service_id": "the webhook's URL is not complete",
    "no_team": "the webhook's workspace is gone",
    "not_allowed_token_type": "this kind of token may not post: give a bot token, xoxb-...",
    "not_authed": "no token arrived at Slack",
    "not_in_channel": "the bot is not in the Slack channel: invite it",
    "org_login_required": "the workspace is moving to another organisation",
    "posting_to_general_channel_denied": "this webhook may not post to the general channel",
    "restricted_action": "the workspace does not allow the app to post in this Slack channel",
    "restricted_action_read_only_channel": "the Slack channel is read-only",
    "team_access_not_granted": "the bot's token is not granted in this workspace",
    "team_disabled": "the workspace is disabled",
    "token_expired": "the bot's token has expired",
    "token_revoked": "the bot's token was revoked",
    "user_not_found": "the webhook posts to a user who does not exist",
}
# This message will never be taken; others may.
_REFUSED = {
    "as_user_not_supported",
    "invalid_arguments",
    "invalid_blocks",
    "invalid_blocks_format",
    "invalid_payload",
    "markdown_text_conflict",
    "metadata_too_large",
    "msg_blocks_too_long",
    "msg_too_long",
    "no_text",
    "too_many_attachments",
}
_THREAD_LOST = {
    "cannot_reply_to_message",
    "invalid_thread_ts",
    "message_not_found",
    "thread_not_found",
}


def judge_webhook(reply: Reply) -> Answer:
    """Incoming webhooks tell by status and a word."""
    if reply.is_success:
        return Answer("sent", reply.status)
    return _judge(reply, reply.text.strip())


def judge_post(reply: Reply) -> Answer:
    """The Web API answers 200 and says in the body what went wrong."""
    if reply.status != 200:
        return plain_retry(reply)
    try:
        content = json.loads(reply.text)
    except ValueError:
        # Cut off or not from Slack. What it took must not be sent again.
        taken = _TAKEN.match(reply.text) is not None
        return Answer("sent", 200) if taken else plain_retry(reply)
    if not isinstance(content, dict):
        return plain_retry(reply)
    if content.get("ok") is True:
        return Answer("sent", 200, receipt={"ts": content.get("ts")})
    return _judge(reply, str(content.get("error", "")))


def _judge(reply: Reply, code: str) -> Answer:
    """By the word that Slack gives; an unknown one may be put right."""
    status = reply.status
    known = code if _CODE.fullmatch(code) else ""
    if known in _THREAD_LOST:
        error = f"Slack: {known}"
        return Answer("retry", status, error, alive=True, thread_lost=True)
    if known in _GONE:
        return Answer("gone", status, f"{_GONE[known]} (Slack: {known})")
    if known in _REFUSED:
        return Answer("refused", status, f"Slack does not take this message: {known}")
    if not known:
        return plain_retry(reply)
    error = f"Slack answered {known}"
    return Answer("retry", status, error, reply.retry_after_ms)
