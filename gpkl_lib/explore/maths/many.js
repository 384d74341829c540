// The maths of "How many of how many?": k of n keys lead the others by m, all else tied. No page.
import { sigmoid } from "./core.js";

// how many keys are asked for at n, if they are k at 64: the same number, or the same share
/** @type {(n: number, k: number, share: boolean) => number} */
export const relevantKeys = (n, k, share) => (share ? (k * n) / 64 : k);

// log((n - k)/k), the lead that only makes up for numbers
/** @type {(n: number, k: number) => number} */
const odds = (n, k) => Math.log((n - k) / k);

// the mass of softmax on the k keys, at the scale lambda times the lead m
/** @type {(n: number, k: number, lead: number) => number} */
export const relevantMass = (n, k, lead) => sigmoid(lead - odds(n, k));

// lambda times m that gives the k keys this mass
/** @type {(n: number, k: number, mass: number) => number} */
export const leadForMass = (n, k, mass) => Math.log(mass / (1 - mass)) + odds(n, k);
