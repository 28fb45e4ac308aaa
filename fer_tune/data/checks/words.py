"""Words that names of classes, people and recordings are made of."""

from __future__ import annotations

import re
import unicodedata


def words_of(listed: str) -> frozenset[str]:
    """The words of a list that is divided by bars."""
    return frozenset(listed.split("|"))


#: Words for expressions, by the name that a class of them has here.
_EXPRESSIONS = {
    "angry": "angry|anger|annoyed|furious|wut|wütend|ärger|zorn|zornig|verärgert|colère|colere|"
    "enojo|enojado|enojada|enfado|ira|rabbia|raiva|boos|boosheid|kızgın|kizgin|öfke|złość|"
    "злость|гнев|生气|愤怒|憤怒|怒り|怒|화남|분노|غضب|غاضب|خشم|क्रोध",
    "disgust": "disgust|disgusted|ekel|angeekelt|dégoût|degout|asco|disgusto|desgosto|nojo|"
    "afschuw|walging|iğrenme|tiksinti|wstręt|отвращение|厌恶|厭惡|嫌悪|嫌惡|혐오|역겨움|اشمئزاز|نفرت|घृणा",
    "fear": "fear|fearful|afraid|scared|angst|ängstlich|furcht|peur|miedo|temor|paura|medo|"
    "bang|korku|korkmuş|strach|страх|害怕|恐惧|恐懼|恐怖|恐れ|공포|두려움|خوف|خائف|ترس|भय|डर",
    "happy": "happy|happiness|joy|joyful|smile|smiling|glücklich|gluecklich|freude|fröhlich|"
    "froehlich|heureux|joie|bonheur|content|feliz|felicidad|alegría|alegria|alegre|felice|gioia|"
    "felicità|blij|vrolijk|mutlu|mutluluk|radość|szczęśliwy|радость|счастье|高兴|高興|开心|開心|"
    "快乐|喜び|喜|嬉しい|幸せ|幸福|행복|기쁨|سعيد|سعادة|فرح|شاد|خوشحال|खुश|खुशी",
    "neutral": "neutral|neutrality|normal|neutre|neutro|neutrale|neutraal|nötr|nötür|neutralny|"
    "нейтральный|нейтрально|中性|中立|平静|無表情|真顔|普通|중립|무표정|محايد|خنثی|तटस्थ",
    "sad": "sad|sadness|unhappy|traurig|trauer|triste|tristesse|tristeza|tristezza|verdrietig|"
    "verdriet|üzgün|uzgun|üzüntü|smutek|smutny|грусть|печаль|悲伤|悲傷|难过|悲しみ|悲しい|悲|슬픔|"
    "حزن|حزين|غم|غمگین|दुख|उदास",
    "surprise": "surprise|surprised|suprise|suprised|überrascht|überraschung|ueberrascht|"
    "surpris|sorpresa|sorprendido|sorpreso|surpresa|verrast|verrassing|şaşkın|saskin|zdziwienie|"
    "удивление|惊讶|驚訝|惊奇|吃惊|驚き|驚|놀람|مفاجأة|متفاجئ|تعجب|आश्चर्य",
    "contempt": "contempt|contemptuous|verachtung|mépris|mepris|desprecio|disprezzo|desprezo|"
    "minachting|küçümseme|pogarda|презрение|轻蔑|輕蔑|蔑视|軽蔑|경멸|احتقار|तिरस्कार",
}
#: KDEF, JAFFE and others shorten expressions to two letters, CREMA-D and others to three.
CODES = {
    **{"an": "angry", "di": "disgust", "fe": "fear", "af": "fear", "ha": "happy"},
    **{"ne": "neutral", "sa": "sad", "su": "surprise", "co": "contempt"},
    **{"ang": "angry", "dis": "disgust", "fea": "fear", "hap": "happy", "neu": "neutral"},
    **{"sur": "surprise", "con": "contempt"},
}


def plain(text: str) -> str:
    """Text as it is compared: one Unicode form, without regard to case."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


EXPRESSION_WORDS = {
    plain(word): name for name, words in _EXPRESSIONS.items() for word in words.split("|")
}

#: Before a number: a person.
PERSON = words_of(
    "s|p|sub|subj|subject|subjects|person|people|participant|part|actor|actress|user|id|pid|sid|"
    "face|proband|probandin|teilnehmer|vp|versuchsperson|sujet|sujeto|soggetto|sogg|persona|"
    "personne|participante|osoba|deneme|denek|kisi|kişi|katılımcı|patient|pat|client|volunteer|"
    "vol|speaker|spk|identity|human|man|woman|male|female|boy|girl|child|kid|"
    "student|respondent|испытуемый|участник|человек|人|人物|被试|受试者|参与者|被験者|参加者|"
    "피험자|참가자"
)
#: Before a number: one recording, or a part of one.
RECORDING = words_of(
    "seq|sequence|sequences|clip|clips|video|videos|vid|movie|take|session|sessions|sess|ses|"
    "trial|frame|frames|img|image|images|pic|picture|photo|batch|batches|chunk|shard|shot|scene|"
    "recording|recordings|rec|run|cam|camera|segment|seg|episode|ep|page|dir|directory|folder|"
    "untitled|untitled folder|dataset|data|new folder|neuer ordner|nouveau dossier|"
    "nueva carpeta|block|visit|track|tracklet|sample|day|days|week|weeks|month|months|year|years|"
    "hour|hours|minute|minutes|timepoint|tp|t|tag|tage|woche|jour|jours|semaine|día|dia|semana|"
    "giorno|gün|день|неделя|天|日|周|週|"
    "aufnahme|sitzung|séance|sesión|кадр|видео|视频|片段|动画|動画|セッション|세션|비디오"
)
#: Before a number: a class, however the number is written.
LABEL = words_of(
    "class|cls|classe|clase|klasse|klass|category|categories|cat|label|lbl|lab|etiqueta|"
    "emotion|emotions|emo|expression|expr|exp|au|action unit|unit|level|grade|intensity|stage|"
    "state|type|kind|cluster|score|rating|quality|severity|valence|arousal|gesture|sign|digit|"
    "number|letter|group|sınıf|sinif|класс|эмоция|类|类别|表情|情绪|クラス|感情|클래스|감정"
)


def tokens(name: str) -> list[str]:
    """Words and numbers of a name in their order, lower case: ``AF01_happy`` has three."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", unicodedata.normalize("NFC", name))
    return [plain(token) for token in re.findall(r"\d+|(?:[^\W\d_]|[\u0300-\u036f])+", parted)]


def letters(name: str) -> list[str]:
    """The words of a name alone."""
    return [token for token in tokens(name) if not token.isdecimal()]


def expression_in(name: str) -> str | None:
    """The expression that a name has a word for, in one of the usual languages."""
    whole = plain(name).strip()
    if whole in EXPRESSION_WORDS:
        return EXPRESSION_WORDS[whole]
    return next((EXPRESSION_WORDS[word] for word in tokens(name) if word in EXPRESSION_WORDS), None)


def long_code(stem: str) -> str | None:
    """The code of three letters for an expression that a file's name has as a word of its own."""
    return next((word.upper() for word in letters(stem) if len(word) == 3 and word in CODES), None)
