"""Replies without boxes: nothing to find, a refusal, or nothing readable."""

from __future__ import annotations

import re
from typing import Literal

Verdict = Literal["declared_empty", "refused", "unparsable"]

_HEAD = 2000  # what an answer declares as a whole, it declares at once

_CANNOT = r"(?:cannot|can ?not|can't|couldn't|could not|unable to|not able to|don't have the ability to)"
_SEEING = r"(?:view|see|process|analy[sz]e|access|open|display|interpret|look at|examine|perceive|inspect)"
_NOT = r"(?:(?:do|does|did|could|was|were)(?: not|n't)|can(?: ?not|'t))"
_DETERMINERS = r"(?:(?:the|this|that|these|your|an?|any|provided|attached|uploaded|given|visual|or) ){0,4}"
_IMAGES = r"(?:images?|pictures?|photos?|photographs?|files?|visual content|attachments?)"
_FIND = r"(?:see|find|detect|identify|locate|spot|observe)"
_THERE = r"(?:visible|present|found|detected|seen|shown|identified|located|observed|discernible)"

_BLIND = (
    rf"{_CANNOT} (?:directly |currently )?{_SEEING}(?: (?:or|and) {_SEEING})? {_DETERMINERS}{_IMAGES}\b",
    r"no image (?:was |is |has been )?(?:provided|attached|uploaded|given)",
    r"(?:please|could you) (?:provide|upload|share|attach) (?:the|an?|your) image",
    r"(?:无法|不能|没法)(?:直接)?(?:查看|看到|处理|分析|访问|识别)(?:您|你)?(?:的|提供的|上传的|这张)?(?:图|照片)",
    r"kann (?:leider )?(?:keine|das|die|dieses) bild(?:er)?\b.{0,20}(?:sehen|anzeigen|analysieren)",
    r"ne peux pas (?:voir|afficher|analyser|traiter) (?:d'|l'|les |des |cette )?images?",
    r"no puedo (?:ver|analizar|procesar) (?:la |las |esta )?im[aá]gen(?:es)?",
    r"画像を(?:見|表示|処理|分析)\w{0,6}(?:できません|ません)",
)

_NOTHING = (
    # English
    r"\bthere(?:'s| (?:are|is|were|was|seems? to be|appears? to be)) (?:none|nothing|not any)\b",
    r"\bthere(?:'s| (?:are|is|were|was)) no\b(?! (?:doubt|way|need|question|problem|reason))",
    r"^(?:none|nothing|zero|no (?:such |visible |other |clear )?\w[\w-]*)\b(?! (?:problem|doubt|idea))",
    rf"\bno [\w ,/-]{{1,80}}? (?:(?:are|is|was|were|can be|could be|have been) )?{_THERE}",
    r"\bno [\w ,/-]{1,80}? in (?:the|this) (?:image|scene|picture)",
    rf"\b{_NOT} (?:appear to |seem to )?(?:contain|have|show|include|depict) (?:any|an?)\b",
    rf"\b{_NOT} (?:able to )?{_FIND} (?:any|an?)\b(?! image)",
    rf"\b(?:unable|not able) to {_FIND} (?:any|an?)\b",
    r"\bnone of (?:the|these|those)\b|\bnone (?:are|is|were|was|found|detected|visible)\b",
    r"\b(?:are|is) (?:not|none) (?:visible|present|found|detected)\b|\bdevoid of\b",
    r"\bnothing (?:to|was|is|found|detected)\b",
    r"\b(?:found|detected|see|find|contains?) (?:no|none|zero|nothing)\b",
    # Chinese, Japanese, Korean
    r"没有|沒有|未(?:能)?(?:发现|检测到|找到|看到|包含|出现)|不存在|不包含|找不到|看不到",
    r"没(?:发现|看到|检测到|找到)|^无(?:任何|目标|物体)?",
    r"ありません|見つかりません|いません|見当たりません|存在しません|検出されません|写っていません",
    r"없습니다|없음|없어요|찾을 수 없|보이지 않|발견되지 않|감지되지 않",
    # German, French, Spanish
    r"\bkeine?[nr]?\b.{0,60}\b(?:zu sehen|sichtbar|vorhanden|gefunden|erkennbar|erkennen)\b|^keine?[nr]?\b",
    r"\b(?:es gibt|sehe|enthält|zeigt|befinden sich|sind|ist|konnte|kann) (?:hier |im bild )?keine?[nr]?\b",
    r"\bnicht (?:vorhanden|sichtbar|zu sehen)\b|\bnichts\b",
    r"\baucune?s?\b|\bil n'y a pas\b|\bne contient pas\b|\bne vois pas (?:de |d')|^pas d['e]|\brien\b",
    r"\bno (?:hay|contiene|veo|existen?|se (?:ven?|observan?|detectan?|encuentran?|aprecian?))\b|\bning[uú]n",
    r"\bno se han? (?:encontrado|detectado)\b",
    # Portuguese, Italian, Dutch, Russian, Polish, Turkish, Vietnamese, Indonesian, Arabic, Hindi
    r"\bnão (?:há|existem?|contém|foram|foi|vejo|se vê)\b|\bnenhum",
    r"\bnon (?:ci sono|c'è|contiene|vedo|sono (?:presenti|visibili)|è presente|si vedono)\b|\bnessun",
    r"\b(?:er zijn|bevat|zie|er is) geen\b|^geen\b",
    r"\bнет\b|\bне (?:вижу|найден|обнаружен|содержит|видно|обнаружил)|отсутству",
    r"\bnie ma\b|^brak\b|\bnie (?:widać|znaleziono|wykryto|zawiera)\b",
    r"\byok(?:tur)?\b|bulunmuyor|bulunamadı|görünmüyor",
    r"\bkhông (?:có|thấy|tìm thấy|phát hiện)\b|\btidak (?:ada|terdapat|ditemukan|terlihat)\b",
    r"لا (?:يوجد|توجد|أرى|تحتوي|يحتوي)|नहीं (?:है|हैं|मिला|दिख)",
)

_REFUSAL = (
    r"\b(?:sorry|cannot|can't|can not|unable to|not able to|won't|decline to)\b",
    r"抱歉|对不起|无法|申し訳|\bentschuldigung\b|tut mir leid|\bdésolée?\b|\blo siento\b",
)

_BLIND_TO_IMAGES, _EMPTY, _DECLINES = (
    re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE | re.MULTILINE)
    for patterns in (_BLIND, _NOTHING, _REFUSAL)
)


def verdict(text: str, empty_list: bool = False) -> Verdict:
    """The verdict on a whole reply in which no box was read.

    That nothing is there is an answer ("I cannot find any ships"); that the image cannot be seen is none.

    Args:
        text: the answer in plain characters, without thoughts.
        empty_list: it holds an empty list.
    """
    head = text[:_HEAD].replace("\u2019", "'").strip(" \t\r\n\"'`*")
    if _BLIND_TO_IMAGES.search(head):
        return "refused"
    if empty_list or _EMPTY.search(head):
        return "declared_empty"
    return "refused" if _DECLINES.search(head) else "unparsable"
