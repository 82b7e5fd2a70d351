"""Class names of the benchmarks, in the order of their labels."""

from __future__ import annotations


def _names(text: str) -> tuple[str, ...]:
    return tuple(" ".join(name.split()) for name in text.split(";"))


NTU60 = _names(
    """drink water; eat meal/snack; brushing teeth; brushing hair; drop; pickup; throw; sitting down; standing
    up (from sitting position); clapping; reading; writing; tear up paper; wear jacket; take off jacket;
    wear a shoe; take off a shoe; wear on glasses; take off glasses; put on a hat/cap; take off a hat/cap;
    cheer up; hand waving; kicking something; reach into pocket; hopping (one foot jumping); jump up; make a
    phone call/answer phone; playing with phone/tablet; typing on a keyboard; pointing to something with
    finger; taking a selfie; check time (from watch); rub two hands together; nod head/bow; shake head; wipe
    face; salute; put the palms together; cross hands in front (say stop); sneeze/cough; staggering;
    falling; touch head (headache); touch chest (stomachache/heart pain); touch back (backache); touch neck
    (neckache); nausea or vomiting condition; use a fan (with hand or paper)/feeling warm; punching/slapping
    other person; kicking other person; pushing other person; pat on back of other person; point finger at
    the other person; hugging other person; giving something to other person; touch other person's pocket;
    handshaking; walking towards each other; walking apart from each other"""
)

NTU120 = NTU60 + _names(
    """put on headphone; take off headphone; shoot at the basket; bounce ball; tennis bat swing; juggling table
    tennis balls; hush; flick hair; thumb up; thumb down; make ok sign; make victory sign; staple book;
    counting money; cutting nails; cutting paper (using scissors); snapping fingers; open bottle; sniff
    (smell); squat down; toss a coin; fold paper; ball up paper; play magic cube; apply cream on face; apply
    cream on hand back; put on bag; take off bag; put something into a bag; take something out of a bag;
    open a box; move heavy objects; shake fist; throw up cap/hat; hands up (both hands); cross arms; arm
    circles; arm swings; running on the spot; butt kicks (kick backward); cross toe touch; side kick; yawn;
    stretch oneself; blow nose; hit other person with something; wield knife towards other person; knock
    over other person (hit with body); grab other person's stuff; shoot at other person with a gun; step on
    foot; high-five; cheers and drink; carry something with other person; take a photo of other person;
    follow other person; whisper in other person's ear; exchange things with other person; support somebody
    with one's hand; finger-guessing game (playing rock-paper-scissors)"""
)

PKUMMD = _names(
    """bow; brushing hair; brushing teeth; check time (from watch); cheer up; clapping; cross hands in front
    (say stop); drink water; drop; eat meal/snack; falling; giving something to other person; hand waving;
    handshaking; hopping (one foot jumping); hugging other person; jump up; kicking other person; kicking
    something; make a phone call/answer phone; pat on back of other person; pickup; playing with
    phone/tablet; point finger at the other person; pointing to something with finger; punching/slapping
    other person; pushing other person; put on a hat/cap; put something inside pocket; reading; rub two
    hands together; salute; sitting down; standing up; take off a hat/cap; take off glasses; take off
    jacket; take out something from pocket; taking a selfie; tear up paper; throw; touch back (backache);
    touch chest (stomachache/heart pain); touch head (headache); touch neck (neckache); typing on a
    keyboard; use a fan (with hand or paper)/feeling warm; wear jacket; wear on glasses; wipe face; writing"""
)

UTD_MHAD = _names(
    """swipe left; swipe right; wave; clap; throw; arm cross; basketball shoot; draw x; draw circle
    (clockwise); draw circle (counter-clockwise); draw triangle; bowling; boxing; baseball swing; tennis
    swing; arm curl; tennis serve; push; knock; catch; pickup and throw; jog; walk; sit to stand; stand to
    sit; lunge; squat"""
)

# The files number their actions 1-6, 8, 9, 11, 12.
NW_UCLA = _names(
    """pick up with one hand; pick up with two hands; drop trash; walk around; sit down; stand up; donning;
    doffing; throw; carry"""
)

MSR_ACTION3D = _names(
    """high arm wave; horizontal arm wave; hammer; hand catch; forward punch; high throw; draw x; draw tick;
    draw circle; hand clap; two hand wave; side boxing; bend; forward kick; side kick; jogging; tennis
    swing; tennis serve; golf swing; pickup and throw"""
)

SBU = _names("approaching; departing; kicking; pushing; shaking hands; hugging; exchanging; punching")

HDM05 = _names(
    """depositFloorR; elbowToKnee1RepsLelbowStart; grabHighR; hopBothLegs1hops; jogLeftCircle4StepsRstart;
    kickLFront1Reps; lieDownFloor; rotateArmsBothBackward1Reps; sneak2StepsLStart; squat1Reps;
    throwBasketball"""
)

BANDAI_1 = _names(
    """bow; bye; byebye; call; dance-short; dash; guide; kick; punch; respond; run; slash; walk; walk-back;
    walk-left; walk-right"""
)

BANDAI_2 = _names(
    """raise-up-both-hands; raise-up-left-hand; raise-up-right-hand; run; walk; walk-turn-left;
    walk-turn-right; wave-both-hands; wave-left-hand; wave-right-hand"""
)
