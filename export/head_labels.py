"""Classes of sounds by the names of their files, for fitting a head: what sounds, not what it stands for in a game.

A file's name is cut into lower-case words at anything but letters and where capitals begin. The first class of `WORDS`
that knows one of them wins. `word*` stands for every word that begins so, `*word` for every one that ends so,
`two_words` for words that follow one another. What names do not
tell, or tell wrongly, stands in `head_labels.csv`: package, pattern of the path, class or nothing; the first that fits
wins over every word.
"""

import csv
import fnmatch
import re
from functools import lru_cache
from pathlib import Path

# Classes and their words, the more telling ones first.
WORDS = """
-               music musics musik theme themes jingle* intro credits ending silence title* soundtrack* zik cdtracks
                silent tunes tune fanfare* gameover win lose victory
speech          voice voices speech announcer coms digits letters phonetic followme say saying hello goodbye
reload          *reload* noammo weapload no_ammo
rimshot         rimshot* rim sidestick side_stick stick_rim
hat             hihat* hat hats hat_closed hatclosed hatopen hatpedal hatsemi* hi_hat ophat clhat
cymbal          cymbal* crash_cymbal ride china splash_cymbal cymbaly
snare           snare* snr
clap            clap* handclap
cowbell         cowbell* cow_bell agogo
tom             tom toms tomtom timbale timpani tomlow tommid tomhigh tomfloor
kick            bassdrum* bass_drum drum_bass kickdrum kick_drum bd
hand_drum       bongo* conga* tabla* djembe* cuica
shaker          shaker* maraca* cabasa guiro
tambourine      tambourine* tombourine vibra_slap
woodblock       woodblock* wood_block claves
triangle        triangle
snap            snap fingersnap
harpsichord     harpsichord cembalo* clavinet klavichord dulcimer
electric_piano  electric_piano electric_grand rhodes e_piano epiano
piano           piano*
organ           organ* orgel
accordion       accordion
pizzicato       pizzicato*
bowed_strings   violin* cello* violoncello* viola contrabass* strings string_ensemble
guitar          guitar* banjo sitar ukulele
bass            bass fretless
harp            harp harps
flute           flute* piccolo recorder ocarina pan_flute bottle_blow
reed            sax* clarinet* oboe* bassoon* english_horn
brass           trumpet* trombone* tuba french_horn brass
mallet          xylo* xylophone* glockenspiel marimba* celesta vibraphone* steel_drums tubular
choir           choir* chorus voice_oohs echo_voice hallelujah
synth_pad       pad halo_pad sweep_pad new_age
footstep        footstep* *footstep *footsteps step steps *steps steps*
door            door* *door trapdoor gate gates dvere* elevator lift
glass_break     *shatter* glass_break* glassbreak* break_glass breakglass broken_glass
bow_shot        arrow* bow bows crossbow bowshot bowfire
gunshot         gun guns gunshot* shotgun* *shotgun pistol* rifle* minigun* machinegun* machine_gun sniper* vulcan* mg
                uzi bullet ak colt revolver
cannon          cannon* mortar* catapult* artillery
rocket          rocket* missile* bazooka* rlauncher torpedo*
laser           laser* *laser phaser* plasma* zap* *zap blaster* pulse railgun raygun beam
explosion       explo* *explosion exploze* explode* boom booom bigboom blast* firecracker* fireworks grenade* bomb
                bombexplosion
                dynamite* detonat* nuke* kabumm
alarm_siren     alarm* *alarm siren*
phone_ring      phone* telephone* ringing
camera_shutter  camera* shutter* screenshot screen_capture
coin            coin* coins money gold cash *coin argent
keyboard_key    keyclick keypress key_press keystroke typewriter* typing
clock           clock clocks ticking clock* tictac
ui_beep_click   click* *click clic menu* *menu button* buttons select* selected toggle* beep* bleep* blip* *beep klick*
                tick plick tock hover rollover ping pling tecla* tlacitko
lever_switch    switch* lever* piston*
paper           paper* page pages flippage book* card cards card_flip card_shuffle shuffle chalk
water_flow      waterfall* river* stream* water brook faucet shower voda sea seashore ocean waves
rain            rain rainy
thunder         thunder* *thunder lightning* hrom* blesk
wind            wind winds gust* *wind vitr*
bubbles         bubble* *bubble bubl* bubliny boiling_water
drip            drip* droplet* waterdrip waterdrop water_drop *drip
splash          splash* *splash plop* dive *dive swim* inwater
fire            campfire* fireplace* flame* *flame burn* torch* sizz* fire_loop firesoft lava
bird            bird birds birdy* ptak* crow crows gull* seagull* racek hawk* owl owls eagle* chirp* canary* duck
                goose gander drake parrot*
                blackbird lark cuckoo vulture penguin heron* tucan quetzal nandou turkey woodpecker pigeon*
chicken         chicken* rooster* hen hens chick
cow             cow cows moo bull bulls bison ox
sheep           sheep* lamb baa goat* ram mountaingoat
pig             pig pigs oink*
horse           horse* neigh* donkey zebra
dog             dog dogs bark* woof fox
cat             cat cats meow* kitten* blackcat
wolf            wolf wolves howl*
frog            frog* croak* toad*
insect          bee bees cricket* mosquito* hornet* insect* cicada* wasp* grasshopper fly beehive
roar            roar* roaaar lion tiger bear bears growl* dragon drak snarl* monster* elephant*
monkey          monkey* chimp* gorilla* ape apes
squeak          squeak* mouse rat krysa squirrel* rodents quiek piep miep
laugh           laugh* giggle* lachen
vocal_effort    pain scream* *scream grunt* ouch* ow oof ooff* hurt death* die dying moan* cough* groan* yell cry
                cries gasp* drown* aaargh falling sneeze snore* burp belch* ugh
applause        applause* clapping
crowd           cheer* crowd* foule* audience* croud
whistle         whistle* fischio*
horn            horn* honk* claxon* klaxon* carhorn
tire_skid       skid* brake* screech*
train           train trains loco* railtrain railroad
aircraft        plane planes airplane* jetplane biplane helicopter* propeller* aircraft jet jets flyby
engine          engine* motor* car cars truck* tractor* *engine tank_move tankidle vehicle* thrust* bus
wood_chop       chop* axe axes lumberjack* harvest_wood woodcutting tree_fall*
mining_pick     pick pickaxe* mine_rock krumpac* digging dig
hammer          hammer* anvil* smith* blacksmith* toolsmith nail
saw             saw chainsaw* saws sawing benchsaw sawmill
drill           drill*
sword           sword* blade* parry clash knife* dagger*
whip            whip*
whoosh          whoosh* *whoosh swoosh* *swoosh swish* *swish swing* woosh*
punch           punch* slap smack* whack* bodyslam bodyimpact stomp* kick thud* fist*
squish          squish* splat* slime* gib gibs squelch* flesh* slurp*
pop             pop pops *pop plopp
bounce          bounce* boing* bounc* spring trampoline rebond* buing bumper boink
metal_hit       metal* clang* clank* klank* bang_metal steel
stone_hit       stone* rock rocks rockhit
wood_hit        wood wooden woodhit plank holz
eat             eat* bite* munch* crunch* gobble* drink* gulp* njam chew*
electric        electric* electricity spark* shock zzzt tesla buzzing
bell            bell bells *bell gong* bong ding* dong* zvon* chime* *chime
vinyl_scratch   scratch* vinyl*
drum_loop       beats breakbeat
ambience        ambience* ambient* drone* forest jungle swamp night nightime day desertday city village mesto
"""
OVERRIDES = Path(__file__).resolve().with_suffix(".csv")


@lru_cache(maxsize=1)
def rules():
    """Returns [(class, pattern on words joined by spaces)] in order."""
    found, kind = {}, None
    for line in WORDS.strip().splitlines():
        words = line.split()
        if not line.startswith(" "):
            kind = words.pop(0)
        found.setdefault(kind, []).extend(words)
    star = lambda word: word.replace("_", " ").replace("*", "[a-z]*")
    return [
        (kind, re.compile(r"(?:^| )(?:" + "|".join(map(star, words)) + r")(?: |$)")) for kind, words in found.items()
    ]


@lru_cache(maxsize=1)
def overrides():
    """Returns {package: [(pattern, class)]} of the exceptions."""
    found = {}
    with open(OVERRIDES, newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            found.setdefault(row["package"], []).append((row["pattern"], row["class"]))
    return found


def words_of(name):
    """Cuts a name into lower-case words."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z])|[^A-Za-z]+", " ", name)
    return name.strip().lower()


def class_of(package, path):
    """Returns the class of a file, a path below the root of its package; None when its name tells none."""
    for pattern, kind in overrides().get(package, []):
        if fnmatch.fnmatchcase(path, pattern):
            return kind or None
    name = words_of(Path(path).stem)
    kind = next((kind for kind, pattern in rules() if pattern.search(name)), "-")
    return None if kind == "-" else kind
