// Joints that something is wrong with: a ring while it is, a thin one shortly before and after.
const NEAR = 10; // frames
const drawWithoutMarks = Stage.prototype.drawBones;

Stage.prototype.drawBones = function (people) {
  drawWithoutMarks.call(this, people);
  for (const [person, joint, start, end] of this.clip.marks ?? []) {
    if (this.frame < start - NEAR || this.frame >= end + NEAR) continue;
    const place = people[person]?.[joint];
    if (!place || !Number.isFinite(place[0])) continue;
    const [x, y, , near] = this.project(...place);
    const isNow = this.frame > start - 1 && this.frame < end;
    this.context.strokeStyle = colour("--warm");
    this.context.lineWidth = isNow ? 3 : 1;
    this.context.beginPath();
    this.context.arc(x, y, this.thickness() * 2 * near + (isNow ? 4 : 2), 0, 2 * Math.PI);
    this.context.stroke();
  }
};
