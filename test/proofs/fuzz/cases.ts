/**
 * Cases: inputs of some thousand descriptors, each made from the run's seed and its own number alone,
 * so that one that finds something can be run again by itself.
 *
 * A campaign is one way into the host. Cases of all campaigns have numbers of their own: what is
 * told of a finding is enough to see it again.
 */
import { Random } from '../random.js';
import { Finding } from './finding.js';
import { Generator, planOf } from './generate.js';
import { LinkGenerator, linkPlanOf } from './link-generate.js';
import type { LinkStep } from './link-steps.js';
import { type LinkPlan, LinkTarget } from './link-target.js';
import type { Step } from './steps.js';
import { Target, type TargetPlan } from './target.js';

/** `shared`: over shared memory; `watched`: the same, each plain read watched; `link`: frames. */
export const CAMPAIGNS = ['shared', 'watched', 'link'] as const;
export type Campaign = (typeof CAMPAIGNS)[number];

/** An input, whole: plain JSON. */
export type Input =
  | { readonly campaign: 'shared' | 'watched'; readonly plan: TargetPlan; readonly steps: Step[] }
  | { readonly campaign: 'link'; readonly plan: LinkPlan; readonly steps: LinkStep[] };

export interface Outcome {
  readonly descriptors: number;
  /** Faults that guests were cut off for. */
  readonly faults: readonly number[];
  /** What was found. */
  readonly finding?: string;
  /** Steps until then, with the one that found it. */
  readonly input: Input;
}

/** Descriptors that the host takes in one case, about. */
const CASE_DESCRIPTORS = 4000;
/** Steps of a case that does not come to so many. */
const CASE_STEPS_MAX = 40_000;

/** The number of a campaign's `turn`th case. */
export function caseNumber(campaign: Campaign, turn: number): number {
  return 1 + turn * CAMPAIGNS.length + CAMPAIGNS.indexOf(campaign);
}

function campaignOf(number: number): Campaign {
  return CAMPAIGNS[(number - 1) % CAMPAIGNS.length]!;
}

function randomOf(seed: number, number: number): Random {
  return new Random(Math.imul(seed ^ 0x5bf0_3635, 0x9e37_79b1) ^ Math.imul(number, 0x85eb_ca6b));
}

interface Walker<S> extends Disposable {
  readonly descriptors: number;
  readonly faults: readonly number[];
  apply(step: S): void;
}

function walk<S>(target: Walker<S>, next: () => S | undefined, steps: S[]): string | undefined {
  try {
    for (let step = next(); step !== undefined; step = next()) {
      steps.push(step);
      target.apply(step);
    }
    return undefined;
  } catch (error) {
    return error instanceof Finding ? error.message : `it threw: ${(error as Error).stack}`;
  }
}

function isDone(target: Walker<never>, steps: readonly unknown[]): boolean {
  return target.descriptors >= CASE_DESCRIPTORS || steps.length >= CASE_STEPS_MAX;
}

function outcomeOf(target: Walker<never>, input: Input, finding: string | undefined): Outcome {
  const { descriptors, faults } = target;
  return { descriptors, faults, input, ...(finding === undefined ? {} : { finding }) };
}

/** Makes case `number` of a run with `seed`, and runs it. */
export function runCase(seed: number, number: number): Outcome {
  const random = randomOf(seed, number);
  const campaign = campaignOf(number);
  if (campaign === 'link') {
    const plan = linkPlanOf(random);
    using target = new LinkTarget(plan);
    const generator = new LinkGenerator(random, target);
    const steps: LinkStep[] = [];
    const next = (): LinkStep | undefined => (isDone(target, steps) ? undefined : generator.next());
    const finding = walk(target, next, steps) ?? walk(target, once({ do: 'restart' }), steps);
    return outcomeOf(target, { campaign, plan, steps }, finding);
  }
  const plan = planOf(random, campaign === 'watched');
  using target = new Target(plan);
  const generator = new Generator(random, target);
  const steps: Step[] = [];
  const next = (): Step | undefined => (isDone(target, steps) ? undefined : generator.next());
  const finding = walk(target, next, steps) ?? walk(target, once({ do: 'restart' }), steps);
  return outcomeOf(target, { campaign, plan, steps }, finding);
}

function once<S>(step: S): () => S | undefined {
  const left = [step];
  return () => left.pop();
}

function each<S>(steps: readonly S[]): () => S | undefined {
  let at = 0;
  return () => steps[at++];
}

/** Runs an input as it is. */
export function runInput(input: Input): Outcome {
  if (input.campaign === 'link') {
    using target = new LinkTarget(input.plan);
    return outcomeOf(target, input, walk(target, each(input.steps), []));
  }
  using target = new Target(input.plan);
  return outcomeOf(target, input, walk(target, each(input.steps), []));
}
