/** How much of the machine's memory lies below and above 4 GiB. */
export interface RamLayout {
  readonly total: number;
  readonly below4g: number;
  readonly above4g: number;
}
