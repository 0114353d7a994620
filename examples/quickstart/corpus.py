"""Tales of a small country, written by a seeded grammar: text with facts to learn, and nobody's but ours.

The country is fixed: every person has one trade, every trade its goods, every town its river, every animal its
call. So a model that learns it can know the second half of `mirel the weaver` or `the goat bleats`; it can look
back for who lives where, and it can add small numbers. What no model can know is who is drawn next.
"""

import json
import random

UNKNOWN, END = "<UNK>", "<EOS>"
VOCABULARY = 640

TRADES = {
    "weaver": ["cloth", "wool", "shawls", "rugs"], "baker": ["bread", "loaves", "rolls", "cakes"],
    "smith": ["nails", "hinges", "knives", "locks"], "potter": ["jugs", "bowls", "cups", "tiles"],
    "fisher": ["herring", "trout", "eels", "nets"], "gardener": ["beans", "onions", "roses", "pears"],
    "cobbler": ["boots", "shoes", "sandals", "laces"], "miller": ["flour", "barley", "oats", "bran"],
    "carpenter": ["chairs", "tables", "doors", "shelves"], "beekeeper": ["honey", "wax", "candles", "mead"],
    "tailor": ["coats", "shirts", "gloves", "hats"], "brewer": ["ale", "cider", "malt", "barrels"],
    "mason": ["bricks", "slabs", "arches", "steps"], "printer": ["books", "maps", "letters", "almanacs"],
    "chandler": ["ropes", "sails", "lamps", "oil"], "dyer": ["indigo", "madder", "ribbons", "yarn"],
    "cooper": ["casks", "tubs", "buckets", "hoops"], "glazier": ["panes", "mirrors", "beads", "bottles"],
    "herbalist": ["mint", "sage", "balm", "tea"], "clockmaker": ["clocks", "springs", "bells", "keys"],
    "ferryman": ["oars", "boats", "tickets", "rafts"], "cheesemaker": ["cheese", "butter", "cream", "whey"],
    "saddler": ["saddles", "belts", "straps", "reins"], "painter": ["portraits", "signs", "brushes", "frames"],
}
ANIMALS = {
    "goat": ("goats", "bleats", "bleat"), "dog": ("dogs", "barks", "bark"), "cat": ("cats", "purrs", "purr"),
    "cow": ("cows", "moos", "moo"), "horse": ("horses", "neighs", "neigh"), "crow": ("crows", "caws", "caw"),
    "owl": ("owls", "hoots", "hoot"), "frog": ("frogs", "croaks", "croak"), "bee": ("bees", "buzzes", "buzz"),
    "lark": ("larks", "sings", "sing"), "hen": ("hens", "clucks", "cluck"), "duck": ("ducks", "quacks", "quack"),
    "goose": ("geese", "honks", "honk"), "pig": ("pigs", "grunts", "grunt"), "wolf": ("wolves", "howls", "howl"),
    "mouse": ("mice", "squeaks", "squeak"), "donkey": ("donkeys", "brays", "bray"), "dove": ("doves", "coos", "coo"),
}
COLOURS = ["red", "blue", "green", "white", "black", "yellow", "brown", "grey"]
SIZES = ["small", "large", "old", "new", "narrow", "tall", "crooked", "quiet"]
BUILDINGS = ["house", "cottage", "tower", "mill", "barn", "inn", "cabin", "workshop", "loft", "cellar"]
SEASONS = {"spring": ["rain", "blossom", "mud"], "summer": ["heat", "dust", "thunder"],
           "autumn": ["fog", "wind", "leaves"], "winter": ["snow", "frost", "ice"]}
TIMES = ["morning", "noon", "evening", "night"]
DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
FRUIT = ["apples", "plums", "nuts", "eggs", "coins", "stones", "pebbles", "acorns"]
NUMBERS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
           "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"]
MOODS = {"happy": ["laughs", "dances", "smiles"], "sad": ["sighs", "weeps", "frowns"],
         "tired": ["yawns", "sleeps", "rests"], "angry": ["shouts", "stamps", "scowls"],
         "curious": ["asks", "listens", "reads"], "hungry": ["eats", "cooks", "snacks"]}
FUNCTION = """a and are at because buys by comes does every finds for from gives has have he her his how in is it
keeps likes live lives makes many market meets near of on price river road sells she so takes the there to two walks
what when where who""".split()
MARKS = [".", ",", "?", ":"]


class Country:
    """Everything that stays the same from tale to tale."""

    def __init__(self):
        draw = random.Random(20)
        fixed = {UNKNOWN, END, *MARKS, *FUNCTION, *TRADES, *COLOURS, *SIZES, *BUILDINGS, *SEASONS, *TIMES, *DAYS,
                 *FRUIT, *NUMBERS, *MOODS}
        for words in (*TRADES.values(), *SEASONS.values(), *MOODS.values()):
            fixed.update(words)
        for animal, forms in ANIMALS.items():
            fixed.update((animal, *forms))
        # Names fill the vocabulary up, so that every row of the table belongs to a word that is used.
        coined = coin(draw, VOCABULARY - len(fixed), fixed)
        towns, rivers = coined[:36], coined[36:48]
        people = coined[48:]
        trades = list(TRADES)
        self.words = [UNKNOWN, END, *sorted(fixed - {UNKNOWN, END}), *sorted(coined)]
        self.rivers = {town: draw.choice(rivers) if i >= len(rivers) else rivers[i] for i, town in enumerate(towns)}
        self.people = {name: (i % 2 == 0, trades[i % len(trades)] if i < len(trades) else draw.choice(trades))
                       for i, name in enumerate(people)}


def coin(draw, count, taken):
    """`count` new words of two or three syllables."""
    words = []
    while len(words) < count:
        syllables = [draw.choice("bdfgklmnprstv") + draw.choice("aeiou") for _ in range(draw.choice((2, 2, 3)))]
        word = "".join(syllables) + draw.choice(["", "l", "n", "r", "s", "th"])
        if word not in taken and word not in words:
            words.append(word)
    return words


def skewed(draw, items):
    """One item; the first are drawn more often: of 200, the last one about a fifth as often as the first."""
    items = list(items)
    return items[int(len(items) * draw.random() ** 1.35)]


class Tale:
    """One line of text: two people, a town, and what happens to them."""

    def __init__(self, country, draw):
        self.country, self.draw = country, draw
        first, second = skewed(draw, country.people), skewed(draw, country.people)
        while second == first:
            second = skewed(draw, country.people)
        self.people = [first, second]
        self.towns = [skewed(draw, country.rivers), skewed(draw, country.rivers)]
        self.pets = [skewed(draw, ANIMALS), skewed(draw, ANIMALS)]
        self.season = draw.choice(list(SEASONS))

    def line(self):
        middle = [self.trade, self.pet, self.sum, self.mood, self.weather, self.meeting, self.purchase]
        self.draw.shuffle(middle)
        parts = [self.home(0), self.home(1), *(part() for part in middle[: self.draw.randint(3, 5)]), self.question()]
        return " ".join(parts)

    def pronouns(self, name):
        return ("she", "her") if self.country.people[name][0] else ("he", "his")

    def home(self, which):
        name, town = self.people[which], self.towns[which]
        trade = self.country.people[name][1]
        house = f"a {self.draw.choice(COLOURS)} {skewed(self.draw, BUILDINGS)}"
        place = f"in {town} by the river {self.country.rivers[town]}"
        he, his = self.pronouns(name)
        return self.draw.choice([
            f"{name} the {trade} lives {place} , in {house} .",
            f"{name} lives {place} . {he} is a {trade} , and {his} house is {skewed(self.draw, SIZES)} .",
            f"in {house} {place} lives {name} the {trade} ."])

    def trade(self):
        name = self.draw.choice(self.people)
        goods = TRADES[self.country.people[name][1]]
        one, two = self.draw.sample(goods, 2)
        he, his = self.pronouns(name)
        return self.draw.choice([
            f"every {self.draw.choice(DAYS)} {name} sells {one} and {two} at the market .",
            f"{name} makes {one} , and {he} takes {his} {one} to the market ."])

    def pet(self):
        which = self.draw.randrange(2)
        name, animal = self.people[which], self.pets[which]
        many, calls, call = ANIMALS[animal]
        he, his = self.pronouns(name)
        return self.draw.choice([
            f"{name} has a {skewed(self.draw, SIZES)} {animal} . every {self.draw.choice(TIMES)} the {animal} {calls} .",
            f"{name} keeps {self.draw.choice(NUMBERS[1:9])} {many} , and the {many} {call} when {he} walks near .",
            f"{his} {animal} {calls} because {name} is near ."])

    def sum(self):
        left, right = self.draw.randint(2, 9), self.draw.randint(2, 9)
        name, fruit = self.draw.choice(self.people), skewed(self.draw, FRUIT)
        left, right, total = NUMBERS[left - 1], NUMBERS[right - 1], NUMBERS[left + right - 1]
        he, _ = self.pronouns(name)
        return self.draw.choice([
            f"{name} has {left} {fruit} and finds {right} {fruit} : {he} has {total} {fruit} .",
            f"how many {fruit} are {left} and {right} {fruit} ? {total} ."])

    def mood(self):
        name, mood = self.draw.choice(self.people), skewed(self.draw, MOODS)
        he, _ = self.pronouns(name)
        act, time = self.draw.choice(MOODS[mood]), self.draw.choice(TIMES)
        return self.draw.choice([f"{name} is {mood} , so {he} {act} in the {time} .",
                                 f"one {time} {name} is {mood} , and {he} {act} ."])

    def weather(self):
        return self.draw.choice([
            f"it is {self.season} , and there is {skewed(self.draw, SEASONS[self.season])} on the road .",
            f"in {self.season} the {skewed(self.draw, SEASONS[self.season])} comes to {self.draw.choice(self.towns)} ."])

    def meeting(self):
        one, two = self.draw.sample(self.people, 2)
        he, _ = self.pronouns(one)
        return (f"on {self.draw.choice(DAYS)} {one} meets {two} on the road to {self.draw.choice(self.towns)} , "
                f"and {he} likes {two} .")

    def purchase(self):
        one, two = self.draw.sample(self.people, 2)
        goods = skewed(self.draw, TRADES[self.country.people[two][1]])
        count = self.draw.choice(NUMBERS[1:])
        return self.draw.choice([
            f"{one} buys {goods} from {two} for {count} coins .",
            f"{two} gives {goods} to {one} . what is the price of the {goods} ? {count} coins ."])

    def question(self):
        which = self.draw.randrange(2)
        name, town = self.people[which], self.towns[which]
        trade = self.country.people[name][1]
        return self.draw.choice([
            f"where does {name} live ? in {town} .",
            f"who lives in {town} ? {name} the {trade} .",
            f"who makes {self.draw.choice(TRADES[trade])} ? {name} .",
            f"what does {name} have ? a {self.pets[which]} ."])


def tales(seed, count):
    """`count` lines of text, the same for the same seed."""
    country, draw = Country(), random.Random(seed)
    return [Tale(country, draw).line() for _ in range(count)]


class Tokenizer:
    """Words between spaces, one id each; the end of a line is a word of its own."""

    def __init__(self, words):
        self.words = list(words)
        self.ids = {word: i for i, word in enumerate(self.words)}

    def encode(self, text):
        unknown, end = self.ids[UNKNOWN], self.ids[END]
        ids = []
        for line in text.splitlines():
            if line.strip():
                ids.extend(self.ids.get(word, unknown) for word in line.split())
                ids.append(end)
        return ids

    def save(self, path):
        content = {"vocab_size": len(self.words), "level": "word", "line_end": END,
                   "token_to_id": self.ids,
                   "id_to_token": {str(i): word for i, word in enumerate(self.words)}}
        path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")

    @classmethod
    def load(cls, path):
        ids = json.loads(path.read_text())["token_to_id"]
        return cls(sorted(ids, key=ids.get))
