/**
 * How a long step tells a waiting person where it is.
 */

/** Takes one short line, without a newline, when a step starts that may take more than a moment. */
export type Progress = (line: string) => void;
