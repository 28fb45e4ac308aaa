"""Names that sort pictures by something other than the expression: days, ages, cameras, places."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from fer_tune.data.checks.words import letters, plain, words_of

#: Share of the names that must belong to one category.
_MOST = 0.8

MONTHS = words_of(
    "january|february|march|april|may|june|july|august|september|october|november|december|jan|feb|"
    "mar|apr|jun|jul|aug|sep|sept|oct|nov|dec|januar|februar|märz|mai|juni|juli|oktober|dezember|"
    "janvier|février|mars|avril|juin|juillet|août|septembre|octobre|novembre|décembre|enero|"
    "febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre|gennaio|"
    "febbraio|aprile|maggio|giugno|luglio|settembre|ottobre|dicembre|janeiro|fevereiro|março|"
    "maio|junho|julho|setembro|outubro|novembro|dezembro|ocak|şubat|mart|nisan|mayıs|haziran|"
    "temmuz|ağustos|eylül|ekim|kasım|aralık|январь|февраль|март|апрель|май|июнь|июль|август|"
    "сентябрь|октябрь|ноябрь|декабрь|يناير|فبراير|مارس|أبريل|مايو|يونيو|يوليو|أغسطس|سبتمبر|أكتوبر|"
    "نوفمبر|ديسمبر|一月|二月|三月|四月|五月|六月|七月|八月|九月|十月|十一月|十二月"
)
_WEEKDAYS = words_of(
    "monday|tuesday|wednesday|thursday|friday|saturday|sunday|mon|tue|tues|wed|thu|thur|thurs|fri|"
    "sat|sun|weekday|weekend|montag|dienstag|mittwoch|donnerstag|freitag|samstag|sonnabend|"
    "sonntag|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|lunes|martes|miércoles|miercoles|"
    "jueves|viernes|sábado|sabado|domingo|lunedì|martedì|mercoledì|giovedì|venerdì|sabato|domenica|"
    "segunda|terça|quarta|quinta|sexta|pazartesi|salı|çarşamba|perşembe|cuma|cumartesi|pazar|"
    "понедельник|вторник|среда|четверг|пятница|суббота|воскресенье|الاثنين|الثلاثاء|الأربعاء|"
    "الخميس|الجمعة|السبت|الأحد|星期一|星期二|星期三|星期四|星期五|星期六|星期日|星期天|周一|周二|"
    "周三|周四|周五|周六|周日|月曜日|火曜日|水曜日|木曜日|金曜日|土曜日|日曜日|월요일|화요일|"
    "수요일|목요일|금요일|토요일|일요일"
)
_DAYTIMES = words_of(
    "morning|noon|midday|afternoon|evening|night|daytime|nighttime|am|pm|morgen|mittag|nachmittag|"
    "before|after|pre|post|baseline|followup|abend|nacht|matin|soir|nuit|mañana|tarde|noche|上午|下午|早上|晚上|朝|昼|夜"
)
_AGES = words_of(
    "age|ages|aged|baby|babies|infant|infants|toddler|toddlers|child|children|kid|kids|teen|teens|"
    "teenager|teenagers|adolescent|adolescents|youth|adult|adults|middleaged|elderly|elder|elders|"
    "senior|seniors|young|old|alter|alt|jung|kind|kinder|erwachsene|jugendliche|enfant|enfants|"
    "adulte|adultes|niño|niños|joven|jóvenes|adulto|adultos|儿童|青年|中年|老年|成人|子供|大人"
)
_GENDERS = words_of(
    "male|males|female|females|man|men|woman|women|boy|boys|girl|girls|masculine|feminine|gender|"
    "sex|mann|männer|frau|frauen|männlich|weiblich|junge|jungen|mädchen|homme|hommes|femme|femmes|"
    "garçon|garçons|fille|filles|masculin|féminin|hombre|hombres|mujer|mujeres|masculino|femenino|"
    "uomo|uomini|donna|donne|maschio|femmina|homem|homens|mulher|mulheres|erkek|kadın|мужчина|"
    "мужчины|женщина|женщины|رجل|رجال|امرأة|نساء|ذكر|أنثى|男|女|男性|女性|男人|女人|남|여|남자|여자|"
    "남성|여성"
)
_ORIGINS = words_of(
    "asian|asians|black|blacks|white|whites|caucasian|caucasians|african|africans|european|"
    "europeans|indian|indians|hispanic|latino|latina|arab|arabs|moroccan"
)
_BESIDE_ORIGINS = words_of(
    "east|south|southeast|middle|eastern|western|american|americans|and|other|others|unknown"
)
_VIEWS = words_of(
    "camera|cameras|cam|webcam|gopro|iphone|ipad|android|samsung|huawei|xiaomi|canon|nikon|sony|"
    "kinect|realsense|logitech|phone|smartphone|tablet|laptop|thermal|infrared|ir|nir|vis|depth|"
    "frontal|profile|halfprofile|fullprofile|viewpoint|view|kamera|caméra|cámara|камера|相机|相機|"
    "摄像头|カメラ|카메라"
)
_SIDES = words_of(
    "left|right|top|bottom|front|back|rear|side|center|centre|central|middle|up|down|half|full|"
    "near|far|links|rechts|oben|unten|gauche|droite|izquierda|derecha|左|右|上|下|正面|側面|侧面"
)
_PLACES = words_of(
    "hospital|hospitals|clinic|clinics|ward|university|institute|laboratory|studio|klinik|"
    "kliniken|klinikum|krankenhaus|universität|universitätsklinikum|hôpital|clinique|université|"
    "clínica|clinica|ospedale|università|universidad|universidade|hastane|hastanesi|üniversitesi|"
    "больница|клиника|университет|مستشفى|عيادة|جامعة|医院|醫院|诊所|大学|病院|병원|대학교"
)
#: Places that need a number or letter: a site may be anything else.
_NUMBERED_PLACES = words_of(
    "site|sites|center|centre|location|place|room|house|building|station|city|country|region|"
    "standort|zentrum|raum|zimmer|salle|sala|地点|房间|教室"
)


@dataclass(frozen=True, kw_only=True)
class Category:
    """What names may sort pictures by.

    Attributes:
        reason: completes "the classes ...".
        core: words of which a name needs one.
        beside: words that may accompany those, or stand alone in some of the names.
        open: any other words may accompany a core word.
    """

    reason: str
    core: frozenset[str]
    beside: frozenset[str] = frozenset()
    open: bool = False

    def holds(self, name: str) -> bool:
        """Whether a name belongs here."""
        words = letters(name)
        if self.open or plain(name).strip() in self.core:
            return self.is_core(name)
        return bool(words) and all(word in self.core | self.beside for word in words)

    def is_core(self, name: str) -> bool:
        """Whether a name has one of the words that decide."""
        return any(word in self.core for word in (*letters(name), plain(name).strip()))


_CATEGORIES = (
    Category(reason="look like days of the week", core=_WEEKDAYS),
    Category(reason="look like months", core=MONTHS),
    Category(reason="look like times", core=_DAYTIMES),
    Category(reason="look like ages or genders", core=_AGES | _GENDERS, beside=words_of("m|f|w|x")),
    Category(reason="look like origins of people", core=_ORIGINS, beside=_BESIDE_ORIGINS),
    Category(reason="look like cameras or views", core=_VIEWS, beside=_SIDES),
    Category(reason="look like hospitals or other places", core=_PLACES, open=True),
)
#: Letters that mean something only as a pair.
_SEXES = ({"m", "f"}, {"m", "w"}, {"h", "f"})
#: Of grades and levels, one digit comes before a plus.
_AGE = re.compile(r"\d+\s*(yo|y|yr|yrs|years?|ans|años|jahre?|岁|歳|세)|\d\d+\s*(s|\+)")
_NUMBER = re.compile(r"[\W_]*(\d+[a-z]?|[a-z])")


def category(names: Sequence[str]) -> tuple[str, tuple[str, ...]] | None:
    """Why names are no classes, and those names; None unless most of them are of one category."""
    if {plain(name).strip() for name in names} in _SEXES:
        return "look like ages or genders", tuple(names)
    for one in _CATEGORIES:
        found = tuple(name for name in names if one.holds(name))
        if _are_most(found, names) and 2 * sum(map(one.is_core, found)) >= len(found):
            return one.reason, found
    for reason, fits in (
        ("look like ages or genders", _is_age),
        ("look like hospitals or other places", _is_numbered_place),
        ("look like addresses of people", _is_address),
    ):
        found = tuple(name for name in names if fits(name))
        if _are_most(found, names):
            return reason, found
    return None


def _are_most(found: Sequence[str], names: Sequence[str]) -> bool:
    return len(found) > 1 and len(found) >= _MOST * len(names)


def _is_age(name: str) -> bool:
    return _AGE.fullmatch(plain(name).strip()) is not None


def _is_numbered_place(name: str) -> bool:
    text = plain(name).strip()
    words = letters(name)
    return (
        bool(words)
        and words[0] in _NUMBERED_PLACES
        and _NUMBER.fullmatch(text.removeprefix(words[0])) is not None
    )


def _is_address(name: str) -> bool:
    return re.fullmatch(r"[^\s@]+@[^\s@]+\.[a-z]+", plain(name).strip()) is not None
