import { Fragment } from 'react';

import { splitAtTimes } from '../../rules/clockText.ts';
import { timeForm, useSetting } from '../settings.ts';
import { printMinute, type TimeForm } from '../words.ts';
import { TimeText } from './timeText.tsx';

/** A sentence of the API, written at `at`, whose times are shown in the form that the reader has chosen. */
export function Sentence({ text, at }: { text: string; at: string }) {
  return splitAtTimes(text, new Date(at)).map((part, index) => (
    <Fragment key={index}>
      {'text' in part ? part.text : <TimeText at={part.at} isMinute />}
    </Fragment>
  ));
}

/** The same as plain text, for places that take nothing else. */
export function useSentence(text: string, at: string): string {
  return sentenceIn(useSetting(timeForm), text, at);
}

function sentenceIn(form: TimeForm, text: string, at: string): string {
  const now = new Date(at);
  return splitAtTimes(text, now)
    .map((part) =>
      'text' in part ? part.text : printMinute(form, Date.parse(part.at), now.getTime()),
    )
    .join('');
}
