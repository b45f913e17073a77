import { Link } from '@tanstack/react-router';

import { Sentence } from '../ui/sentence.tsx';
import { tabOfNote, wordsOf } from './notes.ts';

/** Further notes about a consumer, as plain lines; a note about which something can be done leads to where. */
export function NoteList(props: { consumerId: string; notes: string[]; at: string }) {
  const { consumerId, notes, at } = props;
  if (notes.length === 0) return null;
  return (
    <ul aria-label="Notes" className="flex flex-wrap gap-x-5 gap-y-0.5 text-soft">
      {notes.map((note, index) => {
        const tab = tabOfNote(note);
        const text = <Sentence text={wordsOf(note)} at={at} />;
        return (
          <li key={index} className="foreign">
            <span aria-hidden className="mr-1 text-warn">
              ▲
            </span>
            {tab === null ? (
              text
            ) : (
              <Link
                to="/consumers/$id"
                params={{ id: consumerId }}
                search={{ tab }}
                resetScroll={false}
                className="underline hover:text-ink"
              >
                {text}
              </Link>
            )}
          </li>
        );
      })}
    </ul>
  );
}
