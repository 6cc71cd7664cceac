"""A tiny "real" corpus, made up for tests, with questions whose answers it states; drafts and items made of it."""

from corpora.record import Passage
from fictionalhot.builder.prove import World, found, prove
from fictionalhot.builder.release import Item
from fictionalhot.builder.seeds import Pages, make_seed
from fictionalhot.offline.fictionalise import Offline
from fictionalhot.offline.lexicon import Lexicon
from reseek.questions.record import Question
from reseek.rewards.answers import normalise_answer

_PAGES = (
    (
        "Harbour Lights (1934 film)",
        "Harbour Lights is a 1934 British drama film directed by Oswin Tarrant and starring"
        " Mabel Crowhurst. The film was shot in Whitby over six weeks and was released in 1934.",
    ),
    (
        "Oswin Tarrant",
        "Oswin Tarrant (born 3 May 1899, died 12 June 1961) was a British film director. He was born in"
        " Gloucester and moved to London in 1921. Tarrant directed more than thirty films.",
    ),
    (
        "Mabel Crowhurst",
        "Mabel Crowhurst (14 March 1905 – 2 April 1988) was an English actress from Bristol. Her sister"
        " Edith Crowhurst was a painter who lived in Wells.",
    ),
    (
        "The Salt Road",
        "The Salt Road is a novel by Ines Valderrama, published in 1957. It is set in Cadiz and won the"
        " Pereda Prize. The story follows a family of salt traders.",
    ),
    (
        "Ines Valderrama",
        "Ines Valderrama (1921–1990) was a Spanish writer. She was born in Toledo, where her father"
        " taught at the Instituto Cervantes, and studied in Madrid.",
    ),
    (
        "Kestrel Aviation",
        "Kestrel Aviation was an aircraft company founded in 1928 by Rupert Langdale. The company was"
        " based in Coventry and employed 4,350 people by 1944. Its first aircraft was the Kestrel Swift.",
    ),
    (
        "Rupert Langdale",
        "Rupert Langdale was an engineer from Norwich. Langdale was knighted in 1946 and died in Torquay"
        " on 8 August 1970.",
    ),
    (
        "Lake Ottervale",
        "Lake Ottervale is a lake in Minnesota, United States. The lake is fed by the Tamarack River and"
        " lies near the town of Pinecrest. American settlers came in 1871.",
    ),
    (
        "Tamarack River",
        "The Tamarack River is a river that rises in the Mesabi Hills and flows through Minnesota into"
        " Lake Ottervale. A bridge over the river was opened on 9 October 1903.",
    ),
    (
        "Northern Reel",
        "Northern Reel is a song by the Scottish band The Drumlins. It was written by Ewan Strachan and"
        " released in 1978 on the album Granite Days.",
    ),
    (
        "Ewan Strachan",
        "Ewan Strachan (born 21 January 1951) is a Scottish songwriter from Dundee. He joined The Drumlins"
        " in 1974 and left the band in 1983.",
    ),
    (
        "Corn bread",
        "Corn bread is a bread made of corn. It is eaten with butter. A film, a novel, a song and a company"
        " are named for it. The story of the bread is a story of the people of the lake and the river and the town.",
    ),
)
_ASKED = (
    ("q1", "Where was the director of the film Harbour Lights born?", "Gloucester", (0, 1)),
    ("q2", "When did the director of Harbour Lights die?", "12 June 1961", (0, 1)),
    ("q3", "In which year was the star of Harbour Lights, Mabel Crowhurst, born?", "1905", (0, 2)),
    ("q4", "Where was the author of The Salt Road born?", "Toledo", (3, 4)),
    ("q5", "Which prize did the novel by Ines Valderrama win?", "Pereda Prize", (4, 3)),
    ("q6", "How many people did Kestrel Aviation employ by 1944?", "4,350", (5, 6)),
    ("q7", "Where did the founder of Kestrel Aviation die?", "Torquay", (5, 6)),
    ("q8", "Which river feeds Lake Ottervale?", "Tamarack River", (7, 8)),
    ("q9", "who wrote the song northern reel", "Ewan Strachan", (9, 10)),
    ("q10", "When was the songwriter of Northern Reel born?", "21 January 1951", (9, 10)),
)  # fmt: skip
PASSAGES = tuple(Passage(id=f"real-{n}", title=title, text=text) for n, (title, text) in enumerate(_PAGES))
QUESTIONS = tuple(
    Question(id=id, question=text, golden_answers=(answer,), supporting_titles=tuple(_PAGES[n][0] for n in pages))
    for id, text, answer, pages in _ASKED
)
LEXICON = Lexicon.of(PASSAGES)


def seeds():
    pages = Pages(PASSAGES)
    return [make_seed(f"tiny/{question.id}", "tiny", question, pages) for question in QUESTIONS]


def world():
    return World(LEXICON, {normalise_answer(passage.title) for passage in PASSAGES})


def drafts(random_seed=0):
    """Every seed with its draft; all other pages are its neighbours."""
    offline = Offline(LEXICON, random_seed)
    for seed in seeds():
        own = {passage.title for hop in seed.hops for passage in hop}
        yield seed, offline.document(seed, [passage for passage in PASSAGES if passage.title not in own])


def items(random_seed=0):
    """Every seed as a released item; that it passes is checked here."""
    held, made = world(), []
    for seed, draft in drafts(random_seed):
        proof = found(prove(draft, seed, held), [1] * len(draft.hop_queries))
        assert proof.failure is None, (seed.question, proof.failure)
        held.take(draft)
        made.append(Item(seed=seed, draft=draft, proof=proof))
    return made
